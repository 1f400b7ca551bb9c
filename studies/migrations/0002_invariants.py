"""Invariants that Django has no word for: rows that must agree about their center, and roles that one person may not unite."""

from django.db import migrations

AGREE = """
ALTER TABLE studies_center ADD CONSTRAINT center_of_study UNIQUE (id, study_id);
ALTER TABLE studies_screening ADD CONSTRAINT screening_of_center UNIQUE (id, center_id);
ALTER TABLE studies_milestone ADD CONSTRAINT milestone_of_participant UNIQUE (id, participant_id);
ALTER TABLE studies_milestone ADD CONSTRAINT milestone_of_center UNIQUE (id, center_id);
ALTER TABLE studies_membership ADD CONSTRAINT membership_center_in_its_study
    FOREIGN KEY (center_id, study_id) REFERENCES studies_center (id, study_id);
ALTER TABLE studies_participant ADD CONSTRAINT participant_center_in_its_study
    FOREIGN KEY (center_id, study_id) REFERENCES studies_center (id, study_id);
ALTER TABLE studies_participant ADD CONSTRAINT participant_screened_at_its_center
    FOREIGN KEY (screening_id, center_id) REFERENCES studies_screening (id, center_id);
ALTER TABLE studies_milestone ADD CONSTRAINT milestone_cancels_its_participants
    FOREIGN KEY (cancels_id, participant_id) REFERENCES studies_milestone (id, participant_id);
ALTER TABLE studies_milestone ADD CONSTRAINT milestone_cancels_its_centers
    FOREIGN KEY (cancels_id, center_id) REFERENCES studies_milestone (id, center_id);
"""
DISAGREE = """
ALTER TABLE studies_milestone DROP CONSTRAINT milestone_cancels_its_centers, DROP CONSTRAINT milestone_cancels_its_participants;
ALTER TABLE studies_participant DROP CONSTRAINT participant_screened_at_its_center, DROP CONSTRAINT participant_center_in_its_study;
ALTER TABLE studies_membership DROP CONSTRAINT membership_center_in_its_study;
ALTER TABLE studies_milestone DROP CONSTRAINT milestone_of_center, DROP CONSTRAINT milestone_of_participant;
ALTER TABLE studies_screening DROP CONSTRAINT screening_of_center;
ALTER TABLE studies_center DROP CONSTRAINT center_of_study;
"""

# docs/blinding.md §7. A past role counts as much as a present one: what was learned is not unlearned.
APART = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER TABLE studies_membership ADD CONSTRAINT membership_roles_in_conflict EXCLUDE USING gist (
    user_id WITH =,
    (CASE WHEN role IN ('dmc', 'unblinded_statistician', 'custodian', 'model_owner') THEN 1 ELSE 2 END) WITH <>
) WHERE (role IN ('dmc', 'unblinded_statistician', 'custodian', 'model_owner',
                  'coordinator', 'site_pi', 'pacs_admin', 'reader', 'data_manager', 'adjudicator', 'sysadmin'));
"""
TOGETHER = "ALTER TABLE studies_membership DROP CONSTRAINT membership_roles_in_conflict;"


class Migration(migrations.Migration):
    dependencies = [("studies", "0001_studies")]
    operations = [migrations.RunSQL(AGREE, DISAGREE), migrations.RunSQL(APART, TOGETHER)]
