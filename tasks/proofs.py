"""What must hold of the line at every commit, each as a statement that finds the rows that break it.

Run with the ledger's proofs on one snapshot by ``manage.py verify``. Numbers in brackets are those of the invariants
in ``docs/explanation/invariants.md``.
"""

from accounts.ledger.proofs import Proof

LINE_PROOFS = (
    Proof(
        "line_slots_agree",
        "A task's counters are the leases and answers it has, and never more than its slots (I-9).",
        """
        SELECT t.id, t.leased_count, c.leased, t.answer_count, c.answered FROM tasks_task t
        LEFT JOIN (
          SELECT a.task_id, count(*) FILTER (WHERE a.state = 'leased') AS leased,
                 count(*) FILTER (WHERE a.state IN ('submitted', 'accepted', 'set_aside', 'settled')) AS answered
          FROM tasks_assignment a GROUP BY a.task_id) c ON c.task_id = t.id
        WHERE (t.leased_count, t.answer_count) IS DISTINCT FROM (coalesce(c.leased, 0), coalesce(c.answered, 0))
           OR t.leased_count + t.answer_count > t.slots_needed""",
    ),
    Proof(
        "line_one_answer_a_person",
        "A person holds or has answered a task at most once a round (I-10).",
        """
        SELECT job_id, task_id, round, person_id, count(*) FROM tasks_assignment
        WHERE state NOT IN ('returned', 'expired') GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    ),
    Proof(
        "line_answers_have_assignments",
        "An assignment was answered exactly when it has an answer, by the same worker to the same task (I-11).",
        """
        SELECT a.id, a.state, n.assignment_id FROM tasks_assignment a
        FULL JOIN tasks_answer n ON n.assignment_id = a.id
        WHERE a.id IS NULL OR (n.assignment_id IS NULL) <> (a.state IN ('leased', 'returned', 'expired'))
           OR n.assignment_id IS NOT NULL AND (n.task_id, n.worker_id, n.job_id) <> (a.task_id, a.worker_id, a.job_id)
           OR n.submitted_at >= a.lease_ends_at""",
    ),
    Proof(
        "line_grants_were_valid",
        "Every lease of a restricted job rests on a grant that was valid when it was taken (I-12).",
        """
        SELECT a.id, a.grant_id FROM tasks_assignment a
        JOIN tasks_requirement r ON r.eligibility_id = a.eligibility_id
        LEFT JOIN qualification_qualification q ON q.id = a.grant_id
        GROUP BY a.id, a.grant_id, a.leased_at, a.worker_id, q.id, q.worker_id, q.granted_at, q.revoked_at, q.expires_at
        HAVING q.id IS NULL OR q.worker_id <> a.worker_id OR q.granted_at > a.leased_at
            OR q.revoked_at < a.leased_at OR q.expires_at <= a.leased_at""",
    ),
    Proof(
        "line_settled_is_paid_once",
        "An answer is settled exactly when one transfer pays it, at the price locked at its claim, to who gave it (I-6).",
        """
        SELECT a.id, a.state, x.id, x.paid, x.total FROM tasks_assignment a
        FULL JOIN (
          SELECT t.id, t.ref, substr(t.key, 5)::bigint AS answer_id, count(*) FILTER (WHERE b.kind = 'escrow') AS escrows,
                 coalesce(sum(l.amount_micros) FILTER (WHERE b.kind = 'payable'), 0) AS paid,
                 -sum(l.amount_micros) FILTER (WHERE b.kind = 'escrow') AS total,
                 min(b.owner) FILTER (WHERE b.kind = 'payable') AS payee,
                 min(b.owner) FILTER (WHERE b.kind = 'escrow') AS payer
          FROM ledger_transfer t JOIN ledger_leg l ON l.transfer_id = t.id JOIN ledger_books b ON b.id = l.books_id
          WHERE t.kind = 'pay' AND NOT EXISTS (SELECT FROM ledger_transfer r WHERE r.reverses_id = t.id)
          GROUP BY t.id) x ON x.answer_id = a.id
        WHERE (a.id IS NULL AND x.id IS NOT NULL)
           OR (x.id IS NOT NULL AND (a.state <> 'settled' OR x.paid <> a.price_micros
               OR x.total <> a.price_micros + a.fee_micros OR x.payer <> 'job:' || a.job_id
               OR x.payee <> 'worker:' || a.worker_id))
           OR (x.id IS NULL AND a.state = 'settled' AND a.price_micros + a.fee_micros > 0)""",
    ),
    Proof(
        "line_settles_within_a_minute",
        "No answer that is to be paid has waited more than a minute.",
        """
        SELECT a.id, a.state, a.review_ends_at FROM tasks_assignment a
        WHERE a.state IN ('submitted', 'accepted', 'set_aside')
          AND a.review_ends_at < clock_timestamp() - interval '60 seconds'""",
    ),
    Proof(
        "line_escrow_agrees",
        "A job's escrow is what was funded and not released, less what was paid (I-7).",
        """
        SELECT j.id, j.funded_micros, p.paid, b.posted_micros FROM tasks_job j
        LEFT JOIN (
          SELECT a.job_id, sum(a.price_micros + a.fee_micros) AS paid FROM tasks_assignment a
          WHERE a.state = 'settled' GROUP BY a.job_id) p ON p.job_id = j.id
        LEFT JOIN ledger_books k ON k.kind = 'escrow' AND k.owner = 'job:' || j.id AND k.currency = j.currency
        LEFT JOIN ledger_balance b ON b.books_id = k.id
        WHERE coalesce(b.posted_micros, 0) <> j.funded_micros - coalesce(p.paid, 0)""",
    ),
    Proof(
        "line_slots_are_reserved",
        "A job's reserved money is the ceiling of its slots, less what settled answers cost below it, and never more "
        "than was funded (I-8).",
        """
        SELECT j.id, j.reserved_micros, s.ceiling, p.saved, j.funded_micros FROM tasks_job j
        LEFT JOIN (
          SELECT t.job_id, sum(t.slots_needed * (t.price_micros + t.fee_micros)) AS ceiling FROM tasks_task t
          GROUP BY t.job_id) s ON s.job_id = j.id
        LEFT JOIN (
          SELECT a.job_id, sum(t.price_micros + t.fee_micros - a.price_micros - a.fee_micros) AS saved
          FROM tasks_assignment a JOIN tasks_task t ON t.id = a.task_id WHERE a.state = 'settled' GROUP BY a.job_id) p
          ON p.job_id = j.id
        WHERE j.reserved_micros <> coalesce(s.ceiling, 0) - coalesce(p.saved, 0) OR j.reserved_micros > j.funded_micros""",
    ),
    Proof(
        "line_judged_tasks_have_consensus",
        "A task is judged exactly when its consensus is final; a resolved one has a label, and gold is never judged.",
        """
        SELECT t.id, t.state, c.state FROM tasks_task t LEFT JOIN tasks_consensus c ON c.task_id = t.id
        WHERE (t.state IN ('resolved', 'contested')) <> coalesce(c.state = 'final', false)
           OR t.state = 'resolved' AND c.label IS NULL
           OR t.gold_item_id IS NOT NULL AND t.state IN ('waiting', 'resolved', 'contested')""",
    ),
    Proof(
        "line_waiting_tasks_are_full",
        "A task waits to be judged exactly when the answers it asked for are in.",
        """
        SELECT t.id, t.slots_needed, t.answer_count FROM tasks_task t
        WHERE t.state = 'waiting' AND (t.answer_count < t.slots_needed OR t.leased_count > 0)
           OR t.state = 'open' AND t.gold_item_id IS NULL AND t.answer_count >= t.slots_needed""",
    ),
    Proof(
        "line_gold_is_graded",
        "Every answer to gold that was observed was given, and none is observed against another worker.",
        """
        SELECT o.id, o.reference FROM qualification_observation o LEFT JOIN tasks_assignment a ON a.id = o.reference
        WHERE o.source = 'gold' AND (a.id IS NULL OR a.worker_id <> o.worker_id OR a.submitted_at IS NULL)""",
    ),
    Proof(
        "line_links_lead_somewhere",
        "No row of a hot table refers to a job, worker or version that does not exist.",
        """
        SELECT a.id FROM tasks_assignment a
        LEFT JOIN tasks_job j ON j.id = a.job_id LEFT JOIN accounts_worker w ON w.id = a.worker_id
        LEFT JOIN tasks_labelschema s ON s.id = a.schema_id LEFT JOIN tasks_guidelines g ON g.id = a.guidelines_id
        LEFT JOIN tasks_eligibility e ON e.id = a.eligibility_id LEFT JOIN tasks_task t ON t.id = a.task_id
        WHERE num_nulls(j.id, w.id, s.id, g.id, e.id, t.id) > 0 OR t.job_id <> a.job_id""",
    ),
    Proof(
        "line_releases_are_unchanged",
        "Every file of a sealed release still has the hash it was sealed with.",
        """
        SELECT f.id, f.name FROM tasks_releasefile f JOIN tasks_release r ON r.id = f.release_id
        WHERE r.state = 'sealed' AND encode(sha256(f.content), 'hex') <> f.sha256""",
    ),
)
