-- Guards of impersonation.
SELECT 1;
