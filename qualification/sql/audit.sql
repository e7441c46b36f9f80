-- Configuration of this floor under audit (accounts/sql/audit.sql).
SELECT 1;
