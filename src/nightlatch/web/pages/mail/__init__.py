"""What the links of mails show."""
