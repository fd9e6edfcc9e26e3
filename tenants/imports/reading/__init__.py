"""From files to rows: sources, encodings, workbooks, cells and values, and the interface of readers."""
