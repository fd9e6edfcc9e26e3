"""Read the rows of files: sources, encodings, workbooks, cells and values, and the interface of readers."""
