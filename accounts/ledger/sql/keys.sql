-- Foreign keys that are checked at once, by the pair (books, currency) where that matters.

ALTER TABLE ledger_leg
  ADD CONSTRAINT leg_belongs_to_a_transfer FOREIGN KEY (transfer_id) REFERENCES ledger_transfer (id),
  ADD CONSTRAINT leg_is_in_the_currency_of_its_books
    FOREIGN KEY (books_id, currency) REFERENCES ledger_books (id, currency);

ALTER TABLE ledger_transfer ADD CONSTRAINT digest_is_a_sha256 CHECK (octet_length(digest) = 32);
