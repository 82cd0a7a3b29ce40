"""Controller daemon of one home: accepts submissions, starts and stops jobs, and commits every change."""
