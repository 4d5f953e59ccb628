"""What people write: categories, titles and a few that break careless software."""

from __future__ import annotations

CATEGORIES: dict[str, tuple[str, ...]] = {
    "Access": (
        "{service}: login fails",
        "{service}: account locked after three attempts",
        "{service}: permission missing after change of department",
        "{service}: second factor not accepted",
    ),
    "Performance": (
        "{service} very slow since this morning",
        "{service}: page takes a minute to open",
        "{service}: time-outs at peak hours",
    ),
    "Error": (
        "{service}: error message when saving",
        "{service}: job ended with an error overnight",
        "{service}: window closes without a message",
        "{service}: attachment cannot be opened",
    ),
    "Data": (
        "{service}: figures differ from last week's report",
        "{service}: record missing after import",
        "{service}: duplicate entries",
    ),
    "Hardware": (
        "{service}: device does not start",
        "{service}: connection drops several times a day",
        "{service}: printer prints blank pages",
    ),
}

REQUESTS = (
    "{service}: new user account",
    "{service}: additional licence",
    "{service}: change of distribution list",
    "{service}: access for a colleague on leave cover",
)
PROBLEMS = ("{service}: repeated time-outs, cause unknown", "{service}: nightly job fails once a week")
CHANGES = (
    "{service}: monthly security patches",
    "{service}: new release",
    "{service}: certificate renewal",
    "{service}: database index rebuilt",
)

# Titles that real people and real attackers write; every reader of a title has to survive them.
ODD = (
    "📧💥 Mail geht nicht mehr 😡😡",
    "لا يمكنني الوصول إلى البريد الإلكتروني",
    "<script>alert('hello')</script> error in the form",
    '=HYPERLINK("http://example.invalid","click") shows in the export',
    "+49 30 1234567 cannot be dialled",
    "受信メールが文字化けします",
    "Drucker\tdruckt\nnur Zeichen wie ÄÖÜ & < > \" '",
    "Screen freezes. " * 625,  # 10 000 characters
)
