from staithe.http.calls import Answer
def schema_answer() -> Answer:
    return Answer(200, {})
