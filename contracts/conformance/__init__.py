"""The second opinion: the HL7 validator's verdicts on what we publish and send, recorded for tests without Java."""
