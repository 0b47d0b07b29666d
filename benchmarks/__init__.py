"""`make bench`: Nightlatch measured against privacyIDEA, pgbench and pyotp, in one run on one machine."""
