"""The shapes of the wire: request and response bodies. Wire spelling (camelCase) exists only here."""
