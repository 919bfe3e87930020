"""FastAPI answering with a model as JSON, through its own serialization."""

from fastapi import FastAPI
from pydantic import BaseModel

application = FastAPI()


class Greeting(BaseModel):
    id: int
    text: str
    tags: list[str]


@application.get("/")
async def greet() -> Greeting:
    return Greeting(id=1, text="Hello world", tags=["short", "polite"])
