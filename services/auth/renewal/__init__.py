"""The periods of an authorization after the first: when each is worked, where it stands, what nothing covers."""
