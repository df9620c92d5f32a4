-- A role for Wissel on PostgreSQL that can write the audit log and not change it.
--
-- Why: triggers refuse every change of the log, but who owns the tables can drop them. So let the owner only migrate:
--   1. createdb wissel; as its owner, once and at each new version:
--        WISSEL_DATABASE_URL=postgresql://wissel_owner:…@host/wissel wissel admin migrate
--   2. as the owner or a superuser:  psql -d wissel -v password="'…'" -f postgres-audit-role.sql
--   3. run Wissel with WISSEL_DATABASE_URL=postgresql://wissel:…@host/wissel
-- Repeat 2 after each new version: it gives the role what new tables need. It is harmless when repeated.

SELECT 'CREATE ROLE wissel LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wissel') \gexec
ALTER ROLE wissel PASSWORD :password;

-- The engine keeps its own tables in schemas of its own, which it makes itself.
SELECT format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO wissel', current_database()) \gexec
GRANT USAGE ON SCHEMA public TO wissel;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO wissel;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO wissel;

REVOKE UPDATE, DELETE, TRUNCATE ON audit_event, audit_link, audit_checkpoint, audit_stamp, audit_look FROM wissel;
-- Texts that may name people are deleted when a person is erased, and never changed.
REVOKE UPDATE, TRUNCATE ON audit_private FROM wissel;
-- Only the owner migrates.
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM wissel;
