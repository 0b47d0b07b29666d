"""What all pages share: their look, how they are rendered, and how requests reach them."""
