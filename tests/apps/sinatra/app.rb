# frozen_string_literal: true

require "sinatra/base"

# Routes, parameters, sessions, a view, a static file: the parts of Sinatra that rely on the server.
class Notes < Sinatra::Base
  enable :sessions
  set :session_secret, "not a secret, this is a fixture: " * 4

  get "/" do
    erb "<h1>Hello from Sinatra</h1><p><%= request.url %></p>"
  end

  get "/greet/:name" do
    "Hello #{params[:name]}, #{params[:greeting]}"
  end

  post "/visits" do
    session[:visits] = session.fetch(:visits, 0) + Integer(params.fetch("by", "1"))
    redirect to("/visits")
  end

  get "/visits" do
    "visits: #{session.fetch(:visits, 0)}"
  end

  post "/upload" do
    upload = params.fetch("file")
    "#{upload[:filename]}: #{upload[:tempfile].size} bytes"
  end

  get "/stream" do
    stream do |out|
      out << "first\n"
      out << "second\n"
    end
  end

  get "/file" do
    send_file File.join(settings.root, "public", "style.css")
  end

  get "/halt" do
    halt 418, "a teapot"
  end

  get "/broken" do
    raise "Sinatra is broken"
  end
end
