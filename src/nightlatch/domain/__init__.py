"""What is true. Pure: no I/O, no clock, no entropy; they come in as arguments."""
