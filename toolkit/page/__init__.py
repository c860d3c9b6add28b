"""report.html: one page for a bundle, one file here per kind of report; see page.py."""
