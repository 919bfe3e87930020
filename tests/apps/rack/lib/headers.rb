# frozen_string_literal: true

# Response heads of every kind.
class Headers < Handler
  def cookies
    text("cookies\n", "set-cookie" => several("first=1; path=/", "second=2; path=/"))
  end

  def multi
    text("multi\n", "x-multi" => several("one", "two", "three"))
  end

  def large_header(bytes)
    text("large\n", "x-large" => "x" * Integer(bytes))
  end

  def many_headers(count)
    text("many\n", Array.new(Integer(count)) { |i| ["x-header-#{i}", i.to_s] }.to_h)
  end

  def status(code)
    code = Integer(code)
    return [code, {}, []] if code < 200 || Rack::Utils::STATUS_WITH_NO_ENTITY_BODY.include?(code)

    [code, { "content-type" => "text/plain" }, ["status #{code}\n"]]
  end

  def redirect
    [302, { "location" => "/hello", "content-type" => "text/plain" }, []]
  end

  def early_hints
    env["rack.early_hints"]&.call("link" => "</style.css>; rel=preload; as=style")
    text("hinted: #{env.key?('rack.early_hints')}\n")
  end

  def connection_close
    text("closing\n", "connection" => "close")
  end

  private

  # Several headers of one name.
  def several(*values)
    Rack.release < "3" ? values.join("\n") : values
  end
end
