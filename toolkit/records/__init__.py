"""What is written down, as typed data: the bundle's manifest and every report. schemas/ is generated from here."""
