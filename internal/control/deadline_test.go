package control

import "time"

// longAgo is a deadline that has passed, noDeadline none.
func longAgo() time.Time    { return time.Unix(1, 0) }
func noDeadline() time.Time { return time.Time{} }
