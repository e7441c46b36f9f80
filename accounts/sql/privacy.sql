-- Guards of privacy.
SELECT 1;
