"""What script/compare-peers is made of: one module a subcommand, and what they share."""
