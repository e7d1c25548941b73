"""Where the issuer meets HTTP, SQL, other services and the clock."""
