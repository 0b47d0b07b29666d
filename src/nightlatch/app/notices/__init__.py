"""What people are told by mail, and the links that those mails bring (N1 to N3)."""
