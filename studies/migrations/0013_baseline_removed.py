"""Take the baseline table away, whose content lives on in forms. Its history table stays in the database as it is, for the owner alone."""

from django.db import migrations

CLOSE = """
DO $$ DECLARE login text; BEGIN
    FOR login IN SELECT rolname FROM pg_roles WHERE rolname IN ('prime_web', 'prime_worker', 'prime_infer') LOOP
        EXECUTE format('REVOKE ALL ON studies_baselineevent FROM %I', login);
    END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("studies", "0012_baseline_into_entries")]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel(name="BaselineEvent")]),
        migrations.DeleteModel(name="Baseline"),
        migrations.RunSQL(CLOSE, migrations.RunSQL.noop),
    ]
