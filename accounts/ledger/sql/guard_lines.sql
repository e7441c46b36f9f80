-- One line for each guard that is in force on the ledger's tables: triggers, constraints, functions
-- and the writing rights of everybody but the owner. Compared with guards.txt.
WITH guarded AS (
  SELECT c.oid, c.relname, c.relowner, c.relacl FROM pg_class c
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname LIKE 'ledger\_%'
)
SELECT format('trigger %s on %s: %s, enabled %s', t.tgname, g.relname,
              md5(pg_get_triggerdef(t.oid)), t.tgenabled) AS line
  FROM pg_trigger t JOIN guarded g ON g.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('constraint %s on %s: %s, enforced %s', c.conname, g.relname,
              pg_get_constraintdef(c.oid), c.convalidated)
  FROM pg_constraint c JOIN guarded g ON g.oid = c.conrelid WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT format('switched-off check of %s on %s', c.conname, g.relname)
  FROM pg_trigger t JOIN guarded g ON g.oid = t.tgrelid JOIN pg_constraint c ON c.oid = t.tgconstraint
 WHERE t.tgisinternal AND t.tgenabled = 'D'
UNION ALL
SELECT format('function %s: %s', p.oid::regprocedure,
              md5(concat_ws('|', p.prosrc, p.prosecdef, p.provolatile, p.proconfig)))
  FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'ledger\_%'
UNION ALL
SELECT format('%s may %s %s', coalesce(r.rolname, 'everybody'), a.privilege_type, g.relname)
  FROM guarded g CROSS JOIN aclexplode(g.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE a.grantee <> g.relowner AND a.privilege_type <> 'SELECT'
UNION ALL
SELECT format('%s may run %s', coalesce(r.rolname, 'everybody'), p.oid::regprocedure)
  FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
  LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'ledger\_%' AND p.prosecdef
   AND a.grantee <> p.proowner
