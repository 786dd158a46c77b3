"""What a run tells: screens for people, documents for programs."""
