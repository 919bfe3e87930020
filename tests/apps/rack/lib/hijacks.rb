# frozen_string_literal: true

# The application takes the connection over.
class Hijacks < Handler
  # Everything on the wire is the application's: head, then an echo of each line until `bye`.
  def full_hijack
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    io.flush
    converse(io)
    text("never sent")
  end

  # The same from a thread, after the application returned, as WebSocket libraries do it.
  def full_hijack_later
    io = env["rack.hijack"].call
    Thread.new do
      io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
      converse(io)
    end
    text("never sent")
  end

  # The server sends the head, the application the rest.
  def partial_hijack
    [200, { "content-type" => "text/plain", "connection" => "close", "rack.hijack" => method(:converse) }, []]
  end

  def offered
    json("hijack?" => env["rack.hijack?"], "hijack" => env.key?("rack.hijack"))
  end

  private

  def converse(io)
    while (line = read_line(io))
      io.write("echo #{line}")
      io.flush
      break if line == "bye\n"
    end
  ensure
    io.close
  end

  # Rack promises `read` of such an object, but not `gets`.
  def read_line(io)
    line = +""
    line << (io.read(1) || (return nil)) until line.end_with?("\n")
    line
  end
end
