# frozen_string_literal: true

# Response bodies of every kind.
class Bodies < Handler
  # As many chunks, one every `delay` seconds.
  Slowly = Struct.new(:chunks, :delay) do
    def each
      chunks.times do |i|
        sleep(delay) unless i.zero?
        yield "chunk #{i}\n"
      end
    end
  end

  # Its second chunk comes once the gate is open.
  Gated = Struct.new(:key) do
    def each
      yield "before the gate\n"
      Gate.wait(key)
      yield "after the gate\n"
    end
  end

  # Notes under its key that it was closed.
  Closable = Struct.new(:key, :chunks, :error) do
    def each(&block)
      chunks.each(&block)
      raise error if error
    end

    def close
      CLOSED[key] += 1
    end
  end

  CLOSED = Hash.new(0)

  # What Rack::Files and ActionController's send_file answer with.
  FileBody = Struct.new(:to_path) do
    def each
      File.open(to_path, "rb") { |file| yield file.read }
    end
  end

  FILE = File.expand_path("../data/alphabet.txt", __dir__)

  def stream
    [200, { "content-type" => "text/plain" },
     Slowly.new(Integer(params.fetch("count", 3)), Float(params.fetch("delay", 0)))]
  end

  def gated(key)
    [200, { "content-type" => "text/plain" }, Gated.new(key)]
  end

  # `bytes` bytes, the alphabet again and again, with a Content-Length.
  def big(bytes)
    bytes = Integer(bytes)
    text(("abcdefghijklmnopqrstuvwxyz" * ((bytes / 26) + 1))[0, bytes])
  end

  # The same length, in pieces of 10,000 bytes and without a Content-Length.
  def big_stream(bytes)
    whole, rest = Integer(bytes).divmod(10_000)
    pieces = Array.new(whole) { "z" * 10_000 }
    pieces << ("z" * rest) if rest.positive?
    [200, { "content-type" => "application/octet-stream" }, pieces.each]
  end

  def empty
    [200, { "content-type" => "text/plain" }, []]
  end

  def close(key)
    [200, { "content-type" => "text/plain" }, Closable.new(key, %w[one two])]
  end

  def close_big(key)
    [200, { "content-type" => "text/plain" }, Closable.new(key, Array.new(200) { "x" * 100_000 }.each)]
  end

  def close_after_error(key)
    [200, { "content-type" => "text/plain" }, Closable.new(key, %w[one], "the body broke")]
  end

  def closed(key)
    text("#{CLOSED[key]}\n")
  end

  def file
    [200, { "content-type" => "text/plain", "content-length" => File.size(FILE).to_s }, FileBody.new(FILE)]
  end

  def x_sendfile
    [200, { "content-type" => "text/plain", "x-sendfile" => FILE }, []]
  end

  # As Rack::ConditionalGet leaves it.
  def x_sendfile_unmodified
    [304, { "x-sendfile" => FILE }, []]
  end

  def x_sendfile_missing
    [200, { "content-type" => "text/plain", "x-sendfile" => "#{FILE}.missing" }, []]
  end

  # Chunked by the application, as Rack::Chunked does it.
  def chunked
    [200, { "content-type" => "text/plain", "transfer-encoding" => "chunked" },
     ["6\r\nfirst\n\r\n", "7\r\nsecond\n\r\n", "0\r\n\r\n"]]
  end
end
