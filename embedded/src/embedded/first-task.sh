post() { curl -sS -H 'Content-Type: application/json' "http://127.0.0.1:8080$@"; echo; }
post /register -c cookies -d '{"username":"admin","password":"choose-a-good-one"}'
post /project/create -b cookies -d '{"name":"first","public":true}'
post /worker/create -d '{"alias":"laptop"}' | tee worker.json
id=$(sed 's/.*"id":\([0-9]*\).*/\1/' worker.json) secret=$(sed 's/.*"secret":"\([^"]*\)".*/\1/' worker.json)
worker() { post "$@" -H "X-Worker-ID: $id" -H "X-Secret: $secret"; }
worker /project/request_access -d '{"project":1,"assign":true,"submit":true}'
post /project/accept_request/1/$id -b cookies -X POST
worker /task/submit -d '{"project":1,"recipe":"count the stars","max_assign_time":3600}'
worker /task/get/1
