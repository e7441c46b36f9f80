"""Reading imports and writing releases.  Pure."""
