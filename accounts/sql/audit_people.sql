-- More tables under audit (accounts/sql/audit.sql).
SELECT 1;
