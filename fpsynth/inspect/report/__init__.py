"""Report: measured figures for people, on the terminal, as HTML and as a contact sheet."""
