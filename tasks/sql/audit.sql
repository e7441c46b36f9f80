-- Configuration of the line under audit (accounts/sql/audit.sql).
SELECT 1;
