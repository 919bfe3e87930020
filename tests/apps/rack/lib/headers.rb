# frozen_string_literal: true

# Response heads of every kind.
class Headers < Handler
  def cookies
    text("cookies\n", "Set-Cookie" => "first=1; path=/\nsecond=2; path=/")
  end

  def multi
    text("multi\n", "X-Multi" => "one\ntwo\nthree")
  end

  def large_header(bytes)
    text("large\n", "X-Large" => "x" * Integer(bytes))
  end

  def many_headers(count)
    text("many\n", Array.new(Integer(count)) { |i| ["X-Header-#{i}", i.to_s] }.to_h)
  end

  def status(code)
    code = Integer(code)
    return [code, {}, []] if code < 200 || Rack::Utils::STATUS_WITH_NO_ENTITY_BODY.include?(code)

    [code, { "Content-Type" => "text/plain" }, ["status #{code}\n"]]
  end

  def redirect
    [302, { "Location" => "/hello", "Content-Type" => "text/plain" }, []]
  end

  def early_hints
    env["rack.early_hints"]&.call("Link" => "</style.css>; rel=preload; as=style")
    text("hinted: #{env.key?('rack.early_hints')}\n")
  end

  def connection_close
    text("closing\n", "Connection" => "close")
  end
end
