"""Pages of the people who run the business, and each partner's own pages of its bill."""
