"""Rules of the user's own: functions that say how they are differentiated and vectorised."""
