"""What follow-up adds to how far a participant is, and the triggers that keep it (docs/adr/0011)."""

from django.db import migrations

AFRESH = """
CREATE FUNCTION followup_progress_afresh(p_participants bigint[]) RETURNS TABLE (
    participant_id bigint, has_adjuvant boolean, has_declaration boolean, is_dead boolean, visits_made text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p.id,
           EXISTS (SELECT 1 FROM followup_treatmentcourse f WHERE f.participant_id = p.id AND f.voided_at IS NULL AND f.intent = 'adjuvant'),
           EXISTS (SELECT 1 FROM followup_noadjuvantdeclaration f WHERE f.participant_id = p.id AND f.voided_at IS NULL),
           EXISTS (SELECT 1 FROM followup_death f WHERE f.participant_id = p.id AND f.voided_at IS NULL),
           coalesce((SELECT ',' || string_agg(f.visit, ',' ORDER BY f.visit) || ',' FROM followup_assessment f
                     WHERE f.participant_id = p.id AND f.voided_at IS NULL AND f.visit <> ''), '')
    FROM studies_participant p WHERE p.id = ANY (p_participants)
$$;
REVOKE ALL ON FUNCTION followup_progress_afresh FROM PUBLIC;
"""
# The row is locked by a statement of its own, as in studies 0021.
KEPT = """
CREATE FUNCTION followup_progress_refresh(p_participants bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM studies_progress t WHERE t.participant_id = ANY (p_participants) ORDER BY t.screening_id FOR NO KEY UPDATE;
    UPDATE studies_progress t
    SET has_adjuvant = f.has_adjuvant, has_declaration = f.has_declaration, is_dead = f.is_dead, visits_made = f.visits_made
    FROM followup_progress_afresh(p_participants) f WHERE t.participant_id = f.participant_id;
END $$;
REVOKE ALL ON FUNCTION followup_progress_refresh FROM PUBLIC;
CREATE FUNCTION followup_progress_touched() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM followup_progress_refresh(ARRAY[NEW.participant_id]);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION followup_progress_touched FROM PUBLIC;
CREATE TRIGGER progress AFTER INSERT OR UPDATE ON followup_treatmentcourse FOR EACH ROW EXECUTE FUNCTION followup_progress_touched();
CREATE TRIGGER progress AFTER INSERT OR UPDATE ON followup_noadjuvantdeclaration FOR EACH ROW EXECUTE FUNCTION followup_progress_touched();
CREATE TRIGGER progress AFTER INSERT OR UPDATE ON followup_death FOR EACH ROW EXECUTE FUNCTION followup_progress_touched();
CREATE TRIGGER progress AFTER INSERT OR UPDATE ON followup_assessment FOR EACH ROW EXECUTE FUNCTION followup_progress_touched();
SELECT followup_progress_refresh(array_agg(p.id)) FROM studies_participant p;
"""
FORGET = """
DROP TRIGGER progress ON followup_treatmentcourse;
DROP TRIGGER progress ON followup_noadjuvantdeclaration;
DROP TRIGGER progress ON followup_death;
DROP TRIGGER progress ON followup_assessment;
DROP FUNCTION followup_progress_touched;
DROP FUNCTION followup_progress_refresh;
DROP FUNCTION followup_progress_afresh;
"""


class Migration(migrations.Migration):
    dependencies = [("followup", "0002_unknown_site_and_modality"), ("studies", "0021_progress")]
    operations = [migrations.RunSQL(AFRESH + KEPT, FORGET)]
