"""How far lines and participants are, the functions that derive them, and the triggers that keep them (docs/adr/0011)."""

import django.db.models.deletion
from django.db import migrations, models

# The one definition of what such a row says, for the triggers, for the rows of this migration and for `manage.py verify`. It reads as the
# owner: a login that may add a milestone may not see the rest. Bodies are text, so that later migrations may alter the tables.
AFRESH = """
CREATE FUNCTION studies_progress_afresh(p_lines bigint[]) RETURNS TABLE (
    screening_id bigint, participant_id bigint, study_id bigint, center_id bigint, surgery_date date, status varchar, verdict varchar,
    awaits_pathology boolean, has_consent boolean, exclusion_reason varchar, person_status varchar, withdrawal varchar,
    has_series boolean, has_phases boolean, has_slide boolean, has_pathology boolean, has_seal boolean, has_treatment boolean, has_closed_window boolean,
    has_death boolean, has_input_missing boolean, forms_submitted integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.id, p.id, c.study_id, s.center_id, s.surgery_date, s.status, coalesce(s.eligibility->>'verdict', ''),
           coalesce(s.eligibility->'awaits' @> '["pathology"]', false), EXISTS (SELECT 1 FROM studies_consent k WHERE k.screening_id = s.id),
           s.exclusion_reason, coalesce(p.status, ''), coalesce(p.withdrawal, ''),
           'series_received' = ANY (h.kinds), 'phase_confirmed' = ANY (h.kinds), 'slide_received' = ANY (h.kinds),
           'report_received' = ANY (h.kinds), 'sealed' = ANY (h.kinds), h.kinds && '{treatment_started,no_adjuvant_declared}',
           'window_closed' = ANY (h.kinds), 'death' = ANY (h.kinds), 'input_missing' = ANY (h.kinds),
           (SELECT count(*)::integer FROM studies_entry e WHERE e.participant_id = p.id AND e.occurrence = '' AND e.status = 'submitted')
    FROM studies_screening s
    JOIN studies_center c ON c.id = s.center_id
    LEFT JOIN studies_participant p ON p.screening_id = s.id
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(DISTINCT m.kind::text), '{}') AS kinds FROM studies_milestone m
        WHERE m.participant_id = p.id AND NOT m.retraction AND NOT EXISTS (SELECT 1 FROM studies_milestone x WHERE x.cancels_id = m.id)
    ) h
    WHERE s.id = ANY (p_lines)
$$;
REVOKE ALL ON FUNCTION studies_progress_afresh FROM PUBLIC;
"""
# The row is locked by a statement of its own: the next one then sees what another transaction, which held it, has written.
KEPT = """
CREATE FUNCTION studies_progress_refresh(p_lines bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM studies_progress t WHERE t.screening_id = ANY (p_lines) ORDER BY t.screening_id FOR NO KEY UPDATE;
    INSERT INTO studies_progress AS t (
        screening_id, participant_id, study_id, center_id, surgery_date, status, verdict, awaits_pathology, has_consent, exclusion_reason,
        person_status, withdrawal, has_series, has_phases, has_slide, has_pathology, has_seal, has_treatment, has_closed_window,
        has_death, has_input_missing, forms_submitted)
    SELECT * FROM studies_progress_afresh(p_lines)
    ON CONFLICT (screening_id) DO UPDATE SET (
        participant_id, study_id, center_id, surgery_date, status, verdict, awaits_pathology, has_consent, exclusion_reason,
        person_status, withdrawal, has_series, has_phases, has_slide, has_pathology, has_seal, has_treatment, has_closed_window,
        has_death, has_input_missing, forms_submitted
    ) = (
        excluded.participant_id, excluded.study_id, excluded.center_id, excluded.surgery_date, excluded.status, excluded.verdict,
        excluded.awaits_pathology, excluded.has_consent, excluded.exclusion_reason, excluded.person_status, excluded.withdrawal,
        excluded.has_series, excluded.has_phases, excluded.has_slide, excluded.has_pathology, excluded.has_seal, excluded.has_treatment,
        excluded.has_closed_window, excluded.has_death, excluded.has_input_missing, excluded.forms_submitted
    );
END $$;
REVOKE ALL ON FUNCTION studies_progress_refresh FROM PUBLIC;
CREATE FUNCTION studies_progress_touched() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found bigint[];
    told jsonb := to_jsonb(NEW);
BEGIN
    IF TG_ARGV[0] = 'participant_id' THEN
        SELECT array_agg(p.screening_id) INTO found FROM studies_participant p WHERE p.id = (told->>'participant_id')::bigint;
    ELSE
        found := ARRAY[(told->>TG_ARGV[0])::bigint];
    END IF;
    IF found IS NOT NULL THEN
        PERFORM studies_progress_refresh(found);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION studies_progress_touched FROM PUBLIC;
CREATE TRIGGER progress AFTER INSERT OR UPDATE OF center_id, surgery_date, status, exclusion_reason, eligibility ON studies_screening
    FOR EACH ROW EXECUTE FUNCTION studies_progress_touched('id');
CREATE TRIGGER progress AFTER INSERT ON studies_consent FOR EACH ROW EXECUTE FUNCTION studies_progress_touched('screening_id');
CREATE TRIGGER progress AFTER INSERT OR UPDATE OF status, withdrawal ON studies_participant
    FOR EACH ROW EXECUTE FUNCTION studies_progress_touched('screening_id');
CREATE TRIGGER progress AFTER INSERT ON studies_milestone FOR EACH ROW EXECUTE FUNCTION studies_progress_touched('participant_id');
CREATE TRIGGER progress AFTER INSERT OR UPDATE OF status ON studies_entry
    FOR EACH ROW WHEN (NEW.status = 'submitted') EXECUTE FUNCTION studies_progress_touched('participant_id');
SELECT studies_progress_refresh(array_agg(s.id)) FROM studies_screening s;
"""
FORGET = """
DROP TRIGGER progress ON studies_screening;
DROP TRIGGER progress ON studies_consent;
DROP TRIGGER progress ON studies_participant;
DROP TRIGGER progress ON studies_milestone;
DROP TRIGGER progress ON studies_entry;
DROP FUNCTION studies_progress_touched;
DROP FUNCTION studies_progress_refresh;
DROP FUNCTION studies_progress_afresh;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('studies', '0020_import_runs'),
    ]

    operations = [
        migrations.CreateModel(
            name='Progress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('screening', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='progress', to='studies.screening')),
                ('surgery_date', models.DateField()),
                ('status', models.CharField(choices=[('screened', 'screened'), ('excluded', 'not enrolled'), ('enrolled', 'enrolled')], max_length=20)),
                ('verdict', models.CharField(blank=True, max_length=20)),
                ('awaits_pathology', models.BooleanField()),
                ('has_consent', models.BooleanField()),
                ('exclusion_reason', models.CharField(blank=True, max_length=40)),
                ('person_status', models.CharField(blank=True, choices=[('enrolled', 'enrolled'), ('withdrawn', 'withdrawn')], max_length=20)),
                ('withdrawal', models.CharField(blank=True, choices=[('no_contact', 'no more contact; records may still be read'), ('no_new_data', 'no new data; what was collected is kept'), ('erase', 'erasure, where the law demands it')], max_length=20)),
                ('has_series', models.BooleanField()),
                ('has_phases', models.BooleanField()),
                ('has_slide', models.BooleanField()),
                ('has_pathology', models.BooleanField()),
                ('has_seal', models.BooleanField()),
                ('has_treatment', models.BooleanField()),
                ('has_closed_window', models.BooleanField()),
                ('has_death', models.BooleanField()),
                ('has_input_missing', models.BooleanField()),
                ('forms_submitted', models.PositiveIntegerField()),
                ('has_adjuvant', models.BooleanField(db_default=False)),
                ('has_declaration', models.BooleanField(db_default=False)),
                ('is_dead', models.BooleanField(db_default=False)),
                ('visits_made', models.TextField(blank=True, db_default='')),
                ('center', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='studies.center')),
                ('participant', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='progress', to='studies.participant')),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='studies.study')),
            ],
            options={
                'indexes': [models.Index(fields=['center', 'surgery_date'], name='studies_pro_center__d52f66_idx'), models.Index(condition=models.Q(('status', 'screened')), fields=['center', 'verdict'], name='progress_open_lines')],
            },
        ),
        migrations.RunSQL(AFRESH + KEPT, FORGET),
    ]
