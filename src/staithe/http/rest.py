from staithe.http.errors import to_answer
OPERATIONS = ()
