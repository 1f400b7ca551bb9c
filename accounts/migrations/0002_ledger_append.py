"""The one door into the ledger, the platform's own user and the installation's number.

`ledger_append` runs as the owner (nobody else can write the table) but asks who is really connected: `session_user`
decides which kinds may be appended, and only a SYNTHETIC chain may be given a time.
"""

from django.db import migrations

LEDGER_APPEND = r"""
CREATE FUNCTION ledger_append(p_study text, p_kind text, p_body bytea, p_nonce bytea, p_at timestamptz DEFAULT NULL,
                              OUT new_index bigint, OUT new_at_us bigint, OUT new_h bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last accounts_ledgerrow;
    synthetic boolean;
    c bytea;
BEGIN
    IF session_user <> current_user
       AND NOT EXISTS (SELECT 1 FROM accounts_ledgerwriter w WHERE w.login = session_user AND w.kind = p_kind) THEN
        RAISE EXCEPTION 'login % may not append a % record to the ledger', session_user, p_kind USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF octet_length(p_nonce) <> 32 THEN
        RAISE EXCEPTION 'a nonce has 32 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('prime/ledger/' || p_study, 0));
    SELECT * INTO last FROM accounts_ledgerrow WHERE study = p_study ORDER BY index DESC LIMIT 1;
    IF last.id IS NULL AND p_kind <> 'genesis' THEN
        RAISE EXCEPTION 'study % has no chain yet: its first record is the genesis', p_study USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT convert_from(CASE WHEN last.id IS NULL THEN p_body ELSE g.body END, 'UTF8')::jsonb ->> 'synthetic' = 'true'
        INTO synthetic FROM (SELECT 1) one LEFT JOIN accounts_ledgerrow g ON g.study = p_study AND g.index = 0;
    IF p_at IS NOT NULL AND synthetic IS NOT TRUE THEN
        RAISE EXCEPTION 'only a SYNTHETIC chain may be given a time' USING ERRCODE = 'insufficient_privilege';
    END IF;
    new_index := coalesce(last.index + 1, 0);
    new_at_us := (extract(epoch FROM coalesce(p_at, clock_timestamp())) * 1000000)::bigint;
    IF synthetic AND p_at IS NULL THEN
        new_at_us := greatest(new_at_us, last.at_us);  -- its clock may have been moved ahead of ours
    ELSIF synthetic AND new_at_us < last.at_us THEN
        RAISE EXCEPTION 'the clock of a SYNTHETIC chain never runs backwards' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    c := sha256('\x7072696d652f432f3100'::bytea || p_nonce || int8send(new_index) || int8send(new_at_us)
                || convert_to(p_kind, 'UTF8') || '\x00'::bytea || p_body);
    new_h := sha256('\x7072696d652f682f3100'::bytea || coalesce(last.h, decode(repeat('00', 32), 'hex')) || c);
    INSERT INTO accounts_ledgerrow (study, index, at_us, kind, body, nonce, commitment, h, login)
        VALUES (p_study, new_index, new_at_us, p_kind, p_body, p_nonce, c, new_h, session_user);
END $$;
REVOKE ALL ON FUNCTION ledger_append FROM PUBLIC;
"""

FIRST_ROWS = """
SELECT set_config('pghistory.context_metadata',
                  jsonb_build_object('login', session_user, 'by', 'system', 'action', 'installed')::text, true);
INSERT INTO accounts_user (uuid, username, password, display_name, language, is_active, is_demo)
    VALUES (gen_random_uuid(), 'system', '!' || encode(sha256(gen_random_uuid()::text::bytea), 'hex'), 'PRIME', 'en', false, false);
INSERT INTO accounts_installation (id, uuid, created_at) VALUES (1, gen_random_uuid(), now());
SELECT set_config('pghistory.context_metadata', '', true);
"""
REMOVE_FIRST_ROWS = """
SELECT set_config('pghistory.context_metadata',
                  jsonb_build_object('login', session_user, 'by', 'system', 'action', 'uninstalled')::text, true);
DELETE FROM accounts_installation;
DELETE FROM accounts_user WHERE username = 'system';
SELECT set_config('pghistory.context_metadata', '', true);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_accounts")]
    operations = [
        migrations.RunSQL(LEDGER_APPEND, "DROP FUNCTION ledger_append"),
        migrations.RunSQL(FIRST_ROWS, REMOVE_FIRST_ROWS),
    ]
