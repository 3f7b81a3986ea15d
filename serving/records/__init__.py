"""Records: every prediction is stored before it is answered, with an audit trail that shows a change."""
