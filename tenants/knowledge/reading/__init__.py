"""Documents read: what a file says, in blocks of text under headings, with the pages they stand on."""
