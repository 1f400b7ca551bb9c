"""Which centers and studies a person, or a whole study, reaches: asked before any row of a center may be seen (docs/isolation.md)."""

from django.db import migrations

# Both run as the owner, because the tables they read show nothing until their answer is known. They give keys and nothing else.
REACH = """
CREATE FUNCTION reach_of(p_person bigint, p_day date, OUT centers bigint[], OUT studies bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH held AS (
        SELECT m.study_id, m.center_id FROM studies_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.user_id = p_person AND u.is_active AND m.since <= p_day AND (m.until IS NULL OR m.until >= p_day)
    )
    SELECT coalesce((SELECT array_agg(c.id ORDER BY c.id) FROM studies_center c WHERE EXISTS (
               SELECT 1 FROM held WHERE held.study_id = c.study_id AND (held.center_id = c.id OR held.center_id IS NULL))), '{}'),
           coalesce((SELECT array_agg(DISTINCT held.study_id) FROM held), '{}')
$$;
CREATE FUNCTION reach_over(p_study bigint, OUT centers bigint[], OUT studies bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((SELECT array_agg(c.id ORDER BY c.id) FROM studies_center c WHERE p_study IS NULL OR c.study_id = p_study), '{}'),
           coalesce((SELECT array_agg(s.id ORDER BY s.id) FROM studies_study s WHERE p_study IS NULL OR s.id = p_study), '{}')
$$;
REVOKE ALL ON FUNCTION reach_of, reach_over FROM PUBLIC;
"""
FORGET = "DROP FUNCTION reach_over; DROP FUNCTION reach_of;"


class Migration(migrations.Migration):
    dependencies = [("studies", "0008_signatures_and_locks"), ("accounts", "0002_ledger_append")]
    operations = [migrations.RunSQL(REACH, FORGET)]
