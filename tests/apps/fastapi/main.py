"""JSON that is checked, dependencies, uploads, streams, background tasks and a WebSocket: the parts of FastAPI that rely on the server."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import BackgroundTasks, Depends, FastAPI, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

HERE = Path(__file__).resolve().parent
DONE = []


@asynccontextmanager
async def lifespan(_):
    yield {"started_by": os.getpid()}


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


@app.post("/items", status_code=201)
async def create(item: Item):
    return {"name": item.name, "gross": round(item.price * 1.19, 2)}


@app.get("/threaded/{number}")
def threaded(number: int, question: str = "none"):
    """Not a coroutine: runs in a thread."""
    return {"number": number, "question": question}


def agent(request: Request):
    return request.headers.get("user-agent", "unknown")


@app.get("/surroundings")
async def surroundings(request: Request, agent: str = Depends(agent)):
    return {
        "agent": agent,
        "client": request.client.host,
        "url": str(request.url),
        "pid": os.getpid(),
        "started_by": request.state.started_by,
        "loop": type(asyncio.get_running_loop()).__module__,
    }


@app.post("/upload")
async def upload(file: UploadFile):
    return {"name": file.filename, "size": len(await file.read())}


@app.get("/stream")
async def stream():
    async def lines():
        for i in range(3):
            yield f"line {i}\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/file")
async def file():
    return FileResponse(HERE / "public/robots.txt")


@app.post("/tasks/{name}")
async def task(name: str, background: BackgroundTasks):
    background.add_task(DONE.append, name)
    return {"queued": name}


@app.get("/tasks")
async def tasks():
    return DONE


@app.get("/broken")
async def broken():
    raise RuntimeError("FastAPI is broken")


@app.websocket("/chat/{room}")
async def chat(socket: WebSocket, room: str):
    await socket.accept()
    try:
        while True:
            message = await socket.receive_json()
            await socket.send_json({"room": room, **message})
    except WebSocketDisconnect as left:
        DONE.append(f"left {room} with {left.code}")
