"""When a participant was last seen or heard of alive joins what follow-up keeps of him (EP-11, docs/adr/0011)."""

from django.db import migrations

AFRESH = """
DROP FUNCTION followup_progress_afresh;
CREATE FUNCTION followup_progress_afresh(p_participants bigint[]) RETURNS TABLE (
    participant_id bigint, has_adjuvant boolean, has_declaration boolean, is_dead boolean, visits_made text{column})
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p.id,
           EXISTS (SELECT 1 FROM followup_treatmentcourse f WHERE f.participant_id = p.id AND f.voided_at IS NULL AND f.intent = 'adjuvant'),
           EXISTS (SELECT 1 FROM followup_noadjuvantdeclaration f WHERE f.participant_id = p.id AND f.voided_at IS NULL),
           EXISTS (SELECT 1 FROM followup_death f WHERE f.participant_id = p.id AND f.voided_at IS NULL),
           coalesce((SELECT ',' || string_agg(f.visit, ',' ORDER BY f.visit) || ',' FROM followup_assessment f
                     WHERE f.participant_id = p.id AND f.voided_at IS NULL AND f.visit <> ''), ''){value}
    FROM studies_participant p WHERE p.id = ANY (p_participants)
$$;
REVOKE ALL ON FUNCTION followup_progress_afresh FROM PUBLIC;
CREATE OR REPLACE FUNCTION followup_progress_refresh(p_participants bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM studies_progress t WHERE t.participant_id = ANY (p_participants) ORDER BY t.screening_id FOR NO KEY UPDATE;
    UPDATE studies_progress t
    SET has_adjuvant = f.has_adjuvant, has_declaration = f.has_declaration, is_dead = f.is_dead, visits_made = f.visits_made{kept}
    FROM followup_progress_afresh(p_participants) f WHERE t.participant_id = f.participant_id;
END $$;
"""
# The contacts that are a sign of life are those of `followup.vocabulary.SIGN_OF_LIFE`.
ALIVE = """,
           greatest(
               (SELECT max(f."on") FROM followup_assessment f WHERE f.participant_id = p.id AND f.voided_at IS NULL),
               (SELECT max(f."on") FROM followup_contact f WHERE f.participant_id = p.id AND f.voided_at IS NULL
                AND (f.vital = 'alive' OR (f.vital = '' AND f.outcome IN ('answered', 'relative')))))"""
WITH = AFRESH.format(column=", last_seen_alive date", value=ALIVE, kept=", last_seen_alive = f.last_seen_alive")
TRIGGER = """
CREATE TRIGGER progress AFTER INSERT OR UPDATE ON followup_contact FOR EACH ROW EXECUTE FUNCTION followup_progress_touched();
SELECT followup_progress_refresh(array_agg(p.id)) FROM studies_participant p;
"""
FORGET = "DROP TRIGGER progress ON followup_contact;"


class Migration(migrations.Migration):
    dependencies = [("followup", "0005_adjudication"), ("studies", "0024_known_alive")]
    operations = [migrations.RunSQL(WITH + TRIGGER, FORGET + AFRESH.format(column="", value="", kept=""))]
