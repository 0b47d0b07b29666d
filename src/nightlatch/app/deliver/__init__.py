"""What leaves after the commit that decided it: texts, mails, pushes."""
