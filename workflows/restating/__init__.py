"""Later data: values published earlier that say something else now, why, and whom it touches."""
