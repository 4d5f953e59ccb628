"""What the check is fed with and what it leaves behind: cells measured, charts, reviews, the spreadsheet door."""
