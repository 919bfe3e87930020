# frozen_string_literal: true

require_relative "../support/test_helper"

class EnvironmentTest < PassengerTest
  def env(target = "/", file: nil, **request)
    seen = nil
    app = lambda do |env|
      seen = env.merge("body" => env["rack.input"].read)
      [200, {}, []]
    end
    serve(app).exchange(target, file: file, **request)
    seen
  end

  def test_request_line
    env = env("/a%20b/c?d=e?f", method: "POST")

    assert_equal "POST", env["REQUEST_METHOD"]
    assert_equal "/a%20b/c?d=e?f", env["REQUEST_URI"]
    assert_equal "/a%20b/c", env["PATH_INFO"]
    assert_equal "/a%20b/c", env["REQUEST_PATH"]
    assert_equal "d=e?f", env["QUERY_STRING"]
    assert_equal "", env["SCRIPT_NAME"]
    assert_equal %w[HTTP/1.1 HTTP/1.1], env.values_at("SERVER_PROTOCOL", "HTTP_VERSION")
    assert_equal "http", env["rack.url_scheme"]
    refute_includes env, "HTTPS"
  end

  def test_a_target_without_a_query
    assert_equal ["/", ""], env("/").values_at("PATH_INFO", "QUERY_STRING")
    assert_equal ["/", ""], env("/?").values_at("PATH_INFO", "QUERY_STRING")
  end

  def test_the_asterisk
    assert_equal ["OPTIONS", "*"], env("*", method: "OPTIONS").values_at("REQUEST_METHOD", "PATH_INFO")
  end

  def test_a_method_that_is_not_common
    assert_equal "PROPFIND", env(method: "PROPFIND")["REQUEST_METHOD"]
  end

  def test_base_uri
    env = env("/shop/cart?x=1", script: "/shop")

    assert_equal %w[/shop /cart], env.values_at("SCRIPT_NAME", "PATH_INFO")
    assert_equal %w[/shop/cart?x=1 /shop/cart], env.values_at("REQUEST_URI", "REQUEST_PATH")
    assert_equal ["/shop", ""], env("/shop", script: "/shop").values_at("SCRIPT_NAME", "PATH_INFO")
  end

  def test_http_10_and_https
    env = env("/", protocol: 10, scheme: 1)

    assert_equal %w[HTTP/1.0 https on], env.values_at("SERVER_PROTOCOL", "rack.url_scheme", "HTTPS")
  end

  def test_headers
    env = env("/", headers: { "accept" => "*/*", "content-type" => "text/plain", "X-Foo" => "bar" })

    assert_equal %w[*/* text/plain bar], env.values_at("HTTP_ACCEPT", "CONTENT_TYPE", "HTTP_X_FOO")
    refute_includes env, "HTTP_CONTENT_TYPE"
  end

  def test_header_values_are_binary_and_may_be_changed
    value = env("/", headers: { "X-Foo" => "bär" })["HTTP_X_FOO"]

    assert_equal [Encoding::BINARY, "bär".b, false], [value.encoding, value, value.frozen?]
  end

  def test_repeated_headers_are_joined
    headers = [%w[cookie a=1], %w[X-Foo 1], %w[cookie b=2], %w[X-Foo 2], %w[X-Foo 3]]
    env = env("/", headers: headers, flags: Frames::REPEATED)

    assert_equal ["a=1; b=2", "1, 2, 3"], env.values_at("HTTP_COOKIE", "HTTP_X_FOO")
  end

  def test_a_header_cannot_change_the_protocol
    assert_equal "HTTP/1.1", env("/", headers: { "Version" => "HTTP/9" })["HTTP_VERSION"]
    assert_equal "HTTP/1.1", env("/", headers: [%w[Version 9], %w[Version 8]], flags: Frames::REPEATED)["HTTP_VERSION"]
  end

  def test_many_headers
    headers = (1..100).to_h { |number| ["X-Number-#{number}", number.to_s] }

    assert_equal "100", env("/", headers: headers)["HTTP_X_NUMBER_100"]
  end

  def test_server_name_and_port
    {
      "example.com" => %w[example.com 80], "example.com:8080" => %w[example.com 8080], "[::1]" => %w[[::1] 80],
      "[::1]:3000" => %w[[::1] 3000], "example.com:" => %w[example.com 80], "" => %w[localhost 80]
    }.each do |host, expected|
      assert_equal expected, env("/", headers: { "host" => host }).values_at("SERVER_NAME", "SERVER_PORT"), host
    end
    assert_equal %w[localhost 80], env("/", headers: {}).values_at("SERVER_NAME", "SERVER_PORT")
    assert_equal "443", env("/", scheme: 1)["SERVER_PORT"]
  end

  def test_values_are_not_those_of_the_request_before
    seen = []
    slot = serve do |env|
      seen << env.values_at("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "HTTPS", "HTTP_COOKIE")
      [200, {}, []]
    end
    slot.exchange("/", headers: { "host" => "a:1", "cookie" => "c" }, peer: "10.0.0.1", peer_port: 1, scheme: 1)
    slot.exchange("/", headers: { "host" => "b:2" }, peer: "10.0.0.2", peer_port: 2)
    slot.exchange("/", headers: { "host" => "b:2" }, peer: "", peer_port: 0)

    assert_equal [["a", "1", "10.0.0.1", "1", "on", "c"], ["b", "2", "10.0.0.2", "2", nil, nil],
                  ["b", "2", "127.0.0.1", nil, nil, nil]], seen
  end

  def test_no_body
    env = env("/")

    assert_equal "", env["body"]
    refute_includes env, "CONTENT_LENGTH"
  end

  def test_a_body_in_the_frame
    body = (0..255).map(&:chr).join.b * 100
    env = env("/", method: "POST", headers: { "content-length" => body.bytesize.to_s }, body: body)

    assert_equal [body, Encoding::BINARY], [env["body"], env["body"].encoding]
    assert_equal body.bytesize.to_s, env["CONTENT_LENGTH"]
  end

  def test_the_length_is_there_even_if_the_client_did_not_say_it
    assert_equal "5", env("/", method: "POST", body: "hello")["CONTENT_LENGTH"]
  end

  def test_a_body_in_a_file
    inputs = []
    slot = serve do |env|
      input = env["rack.input"]
      inputs << input
      first = input.read
      input.rewind
      [200, {}, [first, input.gets.to_s, input.read(3).to_s, input.external_encoding.to_s]]
    end
    frames = Tempfile.create do |file|
      file.write("line\nrest")
      file.rewind
      slot.exchange("/", method: "PUT", file: file, file_size: 9)
    end

    assert_equal "line\nrestline\nresASCII-8BIT", frames.last.body
    slot.exchange("/")
    assert_predicate inputs.first, :closed?
  end

  def test_the_environment_belongs_to_the_request
    envs = []
    slot = serve do |env|
      env["mine"] = env.delete("rack.version")
      envs << env
      [200, {}, []]
    end
    2.times { slot.exchange }

    refute_same(*envs)
    assert_equal [[1, 6]] * 2, (envs.map { |env| env["mine"] })
    refute_same(*envs.map { |env| env["rack.after_reply"] })
  end

  def test_passes_lint
    app = Rack::Lint.new(lambda do |env|
      env["rack.input"].each(&:chomp)
      [200, { "content-type" => "text/plain" }, ["ok"]]
    end)
    slot = serve(app)

    requests = [{ method: "POST", body: "a=b" }, {}, { protocol: 10, scheme: 1, peer: "" }, { target: "/x?y" }]
    requests.first(ENV["GC_STRESS"] ? 1 : 4).each do |request|
      frames = slot.exchange(request.delete(:target) || "/", **request)
      assert_equal [200, "ok"], [frames.first.aux, frames.map(&:body).join]
    end
  end
end
